"""What is inspected, and how: each product with its recipe, what is known for it, and the lessons that change that."""
