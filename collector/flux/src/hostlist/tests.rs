//! Behaviour of the module.
