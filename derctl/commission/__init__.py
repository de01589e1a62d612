"""What is done once, at the cabinet: generators that say the next step and are sent what came of it. No I/O."""
