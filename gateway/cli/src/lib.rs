//! fluxgauge
