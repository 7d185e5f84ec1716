"""The only reader of the environment, the config file and secrets."""
