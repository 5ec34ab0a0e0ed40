"""The Slack receiver: messages, buttons, commands."""
