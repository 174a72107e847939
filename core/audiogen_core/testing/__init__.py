"""Contract checks and materials that plugin authors test with, and this project too."""
