"""The appliance: what goes into its images, and balena's command line behind `ruid appliance`."""
