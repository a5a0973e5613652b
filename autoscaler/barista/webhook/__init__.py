"""What answers over HTTP: the admission webhook, and the API of the controller."""
