//! metrics-api
