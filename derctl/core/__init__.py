"""Nouns and algebra of control: pure, standard library only."""
