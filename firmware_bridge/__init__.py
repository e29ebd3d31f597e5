"""The wire to the microcontroller: samples, edges and pulses over a serial line. Knows nothing of edge_agent."""
