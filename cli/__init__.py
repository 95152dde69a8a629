"""The `alpr` command. One module per subcommand; each is loaded when it is used."""
