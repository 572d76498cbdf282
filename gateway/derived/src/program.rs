//! A compiled expression, and its value.

use fluxgauge_proto::catalogue::Metric;

/// A compiled expression over some metrics.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) root: Number,
    pub(crate) inputs: Vec<&'static Metric>,
}

/// An expression that is a number.
#[derive(Clone, Debug)]
pub(crate) enum Number {
    Constant(f64),
    /// An index into the inputs.
    Input(usize),
    /// A function of one number.
    One(fn(f64) -> f64, Box<Self>),
    /// A function of two numbers.
    Two(fn(f64, f64) -> f64, Box<(Self, Self)>),
    If(Box<(Truth, Self, Self)>),
}

/// An expression that is true or false.
#[derive(Clone, Debug)]
pub(crate) enum Truth {
    Constant(bool),
    Compare(fn(&f64, &f64) -> bool, Box<(Number, Number)>),
    Same(bool, Box<(Self, Self)>),
    Not(Box<Self>),
    And(Box<(Self, Self)>),
    Or(Box<(Self, Self)>),
    If(Box<(Self, Self, Self)>),
}

/// The value is none that anybody could use, as that of a division by 0.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("its value is {0}, as after a division by 0")]
pub struct NotANumber(pub f64);

impl Program {
    /// The metrics that it is made of, each once, in the order in which they are named.
    pub fn inputs(&self) -> &[&'static Metric] {
        &self.inputs
    }

    /// The value for these values of the inputs, in their order.
    ///
    /// # Errors
    ///
    /// When it is infinite or no number.
    pub fn value(&self, inputs: &[f64]) -> Result<f64, NotANumber> {
        let value = self.root.value(inputs);
        if value.is_finite() { Ok(value) } else { Err(NotANumber(value)) }
    }
}

impl Number {
    fn value(&self, inputs: &[f64]) -> f64 {
        match self {
            Self::Constant(number) => *number,
            Self::Input(index) => inputs.get(*index).copied().unwrap_or(f64::NAN),
            Self::One(function, of) => function(of.value(inputs)),
            Self::Two(function, of) => function(of.0.value(inputs), of.1.value(inputs)),
            Self::If(of) => {
                let (condition, then, otherwise) = &**of;
                if condition.value(inputs) { then.value(inputs) } else { otherwise.value(inputs) }
            }
        }
    }
}

impl Truth {
    fn value(&self, inputs: &[f64]) -> bool {
        match self {
            Self::Constant(truth) => *truth,
            Self::Compare(holds, of) => holds(&of.0.value(inputs), &of.1.value(inputs)),
            Self::Same(same, of) => (of.0.value(inputs) == of.1.value(inputs)) == *same,
            Self::Not(of) => !of.value(inputs),
            Self::And(of) => of.0.value(inputs) && of.1.value(inputs),
            Self::Or(of) => of.0.value(inputs) || of.1.value(inputs),
            Self::If(of) => {
                let (condition, then, otherwise) = &**of;
                if condition.value(inputs) { then.value(inputs) } else { otherwise.value(inputs) }
            }
        }
    }
}
