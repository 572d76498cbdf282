//! The Go that builds the control plane.

use std::{ffi::OsStr, process::Command};

use thiserror::Error;

/// The oldest Go that builds the module: what its `go.mod` says.
const OLDEST: (u32, u32) = (1, 26);

/// A Go that is new enough.
#[derive(Clone, Debug)]
pub struct Go {
    /// Its command: a name on `PATH`.
    command: &'static str,
}

/// Why there can be no control plane here. One line: what is missing, and how to get it.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "a real control plane needs Go {}.{} or later, and {found}: see https://go.dev/dl",
    OLDEST.0, OLDEST.1
)]
pub struct NoGo {
    found: String,
}

impl Go {
    /// The Go on `PATH`.
    ///
    /// # Errors
    ///
    /// When there is none, or only an older one.
    pub fn find() -> Result<Self, NoGo> {
        let go = Self { command: "go" };
        match go.command(["version"]).output() {
            Ok(output) if output.status.success() => {
                judge(&String::from_utf8_lossy(&output.stdout)).map(|()| go)
            }
            _ => Err(NoGo { found: "there is no go on PATH".to_owned() }),
        }
    }

    /// A command of Go that is not changed by files of other Go programs around, and fetches no
    /// other Go.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(self.command);
        command.args(args).env("GOTOOLCHAIN", "local").env("GOWORK", "off");
        command
    }
}

/// Checks the answer of `go version`, such as `go version go1.26.8 linux/amd64`.
fn judge(answer: &str) -> Result<(), NoGo> {
    let version = answer.split_whitespace().find_map(|word| word.strip_prefix("go1."));
    let minor = version.and_then(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..digits)?.parse().ok()
    });
    match minor {
        Some(minor) if (1, minor) >= OLDEST => Ok(()),
        Some(minor) => Err(NoGo { found: format!("this is 1.{minor}") }),
        None => Err(NoGo { found: format!("go version says {:?}", answer.trim()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_go_is_named_and_a_newer_one_taken() {
        for answer in ["go version go1.26.0 linux/amd64\n", "go version devel go1.30-ab12 X:y"] {
            assert_eq!(judge(answer), Ok(()), "{answer}");
        }
        let old = judge("go version go1.22.2 linux/amd64").unwrap_err().to_string();
        assert_eq!(
            old,
            "a real control plane needs Go 1.26 or later, and this is 1.22: see https://go.dev/dl"
        );
        assert!(judge("gccgo").unwrap_err().to_string().contains(r#"go version says "gccgo""#));
    }
}
