"""What a serving process lets be seen from outside: ids of requests, metrics, spans, and two logs."""
