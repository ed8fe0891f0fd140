"""Programs Oathward is measured beside: recipes, set-up, launcher, correctness."""
