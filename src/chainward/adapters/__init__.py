"""Every socket, file, database and subprocess of Chainward."""
