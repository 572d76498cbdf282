//! fluxgauge-gateway
