"""Pure physics: no clock, no random, no input or output. Positive power flows towards the grid."""
