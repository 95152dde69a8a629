"""Entry point: `python -m edge_agent`."""

from edge_agent.commands.main import main

if __name__ == "__main__":
    main()
