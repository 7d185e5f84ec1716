"""The signal-bot host: runs a script written for ProfitView on the live streams of any venue."""
