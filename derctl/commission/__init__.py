"""Before control is armed: questions to devices as generators over Exchange, and what their answers mean. Pure.

The CLI or the daemon runs them; nothing here knows which.
"""
