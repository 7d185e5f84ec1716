"""What is a script's own: the modules of its folder, which another script of the run never gets.

    modules       its modules and its search path, there whenever it imports

Each imports only what stands below it.
"""
