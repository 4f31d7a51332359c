"""Observable view-models: what happens when a button is pressed. No widgets, no threads of their own."""
