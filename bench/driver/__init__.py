"""What bench/run, bench/failover and bench/steady share. Standard library only."""
