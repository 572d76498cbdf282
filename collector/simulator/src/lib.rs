//! flux-simulator
