"""What is done once at a site: generators over stages and exchanges, run by the command line. No I/O."""
