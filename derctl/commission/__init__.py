"""What is done at the cabinet, as exchanges: who answers, and as what derctl can use it. No `await` in here."""
