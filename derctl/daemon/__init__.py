"""The daemon: image, poller, loop, dispatch, telemetry, commands, and the app that runs them."""
