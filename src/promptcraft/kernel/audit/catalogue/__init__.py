"""Every audit event, one module a context: kernel 1000, identity 2000, agents 3000, orchestrator 4000, analytics 5000,
registry 6000, runtime 7000, audit 8000, app 9000, gateway 10000, quotas 11000, compliance 12000."""
