"""What is a script's own: the modules of its folder, which another script of the run never gets.

    finder        how they are found, and what each gets before it runs
    modules       its modules and its search path, there whenever it imports

Each imports only what stands below it.
"""
