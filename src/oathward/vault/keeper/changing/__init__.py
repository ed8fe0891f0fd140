"""Changes that take two people: what is proposed, who may be the second, what one may do alone in an emergency."""
