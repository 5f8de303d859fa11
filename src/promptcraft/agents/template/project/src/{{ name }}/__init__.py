"""An agent that answers from its own documents; what it is stands in config/agent.json."""
