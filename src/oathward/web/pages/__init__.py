"""The pages, one a file, each with the constant ``PAGE``; ``page.pages`` finds them."""
