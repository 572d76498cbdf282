//! A size for autoscalers that take a size which is a tenth off for right.

/// The smallest size that an autoscaler with the usual tolerance (10 %) takes for another one from every
/// size below `size`, so that it grows to `size` at least; and from there to this one it stays.
///
/// ```
/// use flux_demand::past_tolerance;
///
/// // At 12 nodes 13 is within the tolerance, and 14 is not; at 13 nodes 14 is.
/// assert_eq!(past_tolerance(13), 14);
/// assert_eq!(past_tolerance(10), 10);
/// ```
pub const fn past_tolerance(size: u32) -> u32 {
    // More than 1.1 × (size − 1) is out of the tolerance of each size below.
    let below = size.saturating_sub(1);
    below.saturating_add(below / 10).saturating_add(1)
}
