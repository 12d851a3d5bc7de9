"""One's own account: tokens, collaborations, the end of it. Logging in and passwords are django-allauth's."""
