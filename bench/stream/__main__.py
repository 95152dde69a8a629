"""Command line of the stream bench."""

from bench.stream.command import main

if __name__ == "__main__":
    main()
