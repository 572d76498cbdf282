//! fluxgauge-collector
