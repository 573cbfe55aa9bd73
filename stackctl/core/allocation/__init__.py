"""What the manager hands out: VNIs, subnets, addresses, virtual IPs, published ports."""
