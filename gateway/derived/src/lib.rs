//! Metrics that operators define: expressions over the metrics of one MiniCluster.
//!
//! ```text
//!  file ─▶ definitions ─▶ source ─(cel's parser)─▶ compile ─▶ program ─▶ value of some inputs
//!                                                  (types, bounds)
//! ```
//!
//! An expression is written in [CEL](https://cel.dev), of which the part about numbers is taken: `+ - *
//! / %`, comparisons, `&& || !`, `? :`, `ceil floor round abs min max clamp` and their names in CEL's
//! `math`. Every number is a double, as every metric is one: `pending_nodes_demand * 2` needs no `2.0`.
//!
//! Pure: no I/O, no clock. A definition is read, compiled and bounded once; its evaluation costs
//! [`MAX_NODES`] steps at most and allocates nothing. CEL's own evaluator is not used: it has no
//! bound of time, and a long sum overflows its stack.

mod compile;
mod definitions;
mod program;

pub use crate::{
    compile::{CompileError, MAX_DEPTH, MAX_NODES, MAX_SOURCE_BYTES, compile, nearest},
    definitions::{Definitions, Derived, MAX_FILE_BYTES, MAX_METRICS, MAX_NAME_BYTES, Problem},
    program::{NotANumber, Program},
};
