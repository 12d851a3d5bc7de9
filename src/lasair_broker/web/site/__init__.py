"""The site's pages: thin views over the services that the REST API calls, too; see docs/site.md."""
