//! Tokens of namespaces: a directory with a file for each, named after its namespace.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use ring::hmac;

use super::{
    Refused,
    identity::Identity,
    pass::{Credential, Proof},
};
use crate::auth::{digest::Digest, shared_token, token::Token};

/// Files of one directory that are read: a Secret of 1 MiB holds more tokens of 32 bytes than there
/// usually are namespaces.
pub const MAX_NAMESPACES: usize = 4096;

/// The longest name of a namespace, a DNS label.
const MAX_LABEL_BYTES: usize = 63;

/// The tokens of a directory.
#[derive(Debug)]
pub(super) struct NamespaceTokens {
    dir: PathBuf,
    key: hmac::Key,
    known: ArcSwap<Known>,
}

/// What was read last.
#[derive(Debug, Default, PartialEq, Eq)]
struct Known {
    /// By a digest under a key that only this process has, so that how long a look-up takes says nothing
    /// of tokens.
    holders: HashMap<Digest, Holder>,
    /// What is wrong, by file.
    problems: BTreeMap<String, String>,
}

/// For which namespace a token stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Holder {
    One(Arc<str>),
    /// For several, and so for none.
    Several,
}

impl NamespaceTokens {
    /// Reads a directory for the first time.
    ///
    /// # Errors
    ///
    /// In words that follow its name, when it cannot be read.
    pub(super) fn read(dir: &Path, key: hmac::Key) -> Result<Self, String> {
        let known = Known::read(dir, &key)?;
        known.tell(&Known::default());
        tracing::info!(tokens = known.holders.len(), "collectors report by tokens of namespaces");
        Ok(Self { dir: dir.to_owned(), key, known: ArcSwap::from_pointee(known) })
    }

    /// Reads it again. Where that fails, what was known stays.
    pub(super) fn reload(&self) {
        let before = self.known.load();
        let known = Known::read(&self.dir, &self.key).unwrap_or_else(|problem| Known {
            holders: before.holders.clone(),
            problems: [(String::new(), format!("{problem}; the tokens known before stay"))].into(),
        });
        if known != **before {
            known.tell(&before);
            tracing::info!(tokens = known.holders.len(), "the tokens of namespaces have changed");
            self.known.store(Arc::new(known));
        }
    }

    /// Whose a token is; `None`: no file has it.
    pub(super) fn prove(&self, token: &Token) -> Option<Result<Proof, Refused>> {
        let name = token.digest(&self.key);
        Some(match self.known.load().holders.get(&name)? {
            Holder::One(namespace) => Ok(Proof {
                who: format!("the token of namespace {namespace}").into(),
                identity: Identity::Namespace(Arc::clone(namespace)),
                credential: Credential::OfNamespace(name),
                expires: None,
            }),
            Holder::Several => Err(Refused::unproved(
                "the token is that of several namespaces, and so of none: the administrator of the \
                 gateway gives each its own"
                    .to_owned(),
            )),
        })
    }

    /// Whether a token still stands for a namespace.
    pub(super) fn knows(&self, name: Digest) -> bool {
        matches!(self.known.load().holders.get(&name), Some(Holder::One(_)))
    }
}

impl Known {
    fn read(dir: &Path, key: &hmac::Key) -> Result<Self, String> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(|error| format!("cannot be read: {error}"))? {
            let entry = entry.map_err(|error| format!("cannot be read: {error}"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Mounted Secrets keep what they link to under such names.
            if name.starts_with('.') {
                continue;
            }
            if names.len() == MAX_NAMESPACES {
                return Err(format!("holds more than {MAX_NAMESPACES} files"));
            }
            names.push(name);
        }
        // So that the same problem is told of the same file.
        names.sort_unstable();
        let mut known = Self::default();
        let mut first = HashMap::new();
        for name in names {
            if !is_dns_label(&name) {
                known.problem(&name, "is not named after a namespace".to_owned());
                continue;
            }
            match shared_token::read(&dir.join(&name)) {
                Err(problem) => known.problem(&name, problem),
                Ok(token) => {
                    let digest = token.digest(key);
                    if let Some(other) = first.get(&digest) {
                        known.problem(
                            &name,
                            format!(
                                "holds the same token as {other}: neither counts; make another"
                            ),
                        );
                        known.holders.insert(digest, Holder::Several);
                        continue;
                    }
                    known.holders.insert(digest, Holder::One(name.as_str().into()));
                    first.insert(digest, name);
                }
            }
        }
        Ok(known)
    }

    fn problem(&mut self, name: &str, problem: String) {
        self.problems.insert(name.to_owned(), problem);
    }

    /// Says what is wrong and was not before.
    fn tell(&self, before: &Self) {
        for (name, problem) in &self.problems {
            if before.problems.get(name) != Some(problem) {
                tracing::warn!(file = name, "--collector-token-dir: {problem}");
            }
        }
    }
}

fn is_dns_label(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().next_back()];
    name.len() <= MAX_LABEL_BYTES
        && name.bytes().all(|byte| plain(byte) || byte == b'-')
        && ends.iter().all(|end| end.is_some_and(plain))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::auth::token::random_key;

    struct Directory(TempDir);

    impl Directory {
        fn new(files: &[(&str, &str)]) -> Self {
            let this = Self(TempDir::new().unwrap());
            for (name, token) in files {
                this.write(name, token);
            }
            this
        }

        fn write(&self, name: &str, token: &str) {
            fs::write(self.0.path().join(name), token).unwrap();
        }

        fn read(&self) -> NamespaceTokens {
            NamespaceTokens::read(self.0.path(), random_key().unwrap()).unwrap()
        }
    }

    const HPC: &str = "0123456789abcdef-of-hpc";
    const LAB: &str = "0123456789abcdef-of-lab";

    /// The namespace of a token; `None`: nobody's.
    fn namespace(tokens: &NamespaceTokens, token: &str) -> Option<Result<String, String>> {
        let proof = tokens.prove(&Token::new(token))?;
        Some(match proof {
            Ok(Proof { identity: Identity::Namespace(namespace), .. }) => Ok(namespace.to_string()),
            Ok(other) => panic!("{other:?}"),
            Err(refused) => Err(refused.to_string()),
        })
    }

    #[test]
    fn a_token_is_of_the_namespace_that_its_file_is_named_after() {
        let dir = Directory::new(&[("hpc", HPC), ("lab", LAB), ("..data", "0123456789abcdef-no")]);
        let tokens = dir.read();
        assert_eq!(namespace(&tokens, HPC), Some(Ok("hpc".to_owned())));
        assert_eq!(namespace(&tokens, LAB), Some(Ok("lab".to_owned())));
        assert_eq!(namespace(&tokens, "0123456789abcdef-no"), None);
        assert_eq!(namespace(&tokens, "0123456789abcdef-of-hpC"), None);
    }

    #[test]
    fn a_token_in_two_files_is_of_nobody() {
        let tokens = Directory::new(&[("hpc", HPC), ("lab", HPC), ("other", LAB)]).read();
        let refused = namespace(&tokens, HPC).unwrap().unwrap_err();
        assert!(refused.contains("that of several namespaces"), "{refused}");
        assert!(!tokens.knows(Token::new(HPC).digest(&tokens.key)));
        let problem = tokens.known.load().problems["lab"].clone();
        assert!(problem.contains("the same token as hpc"), "{problem}");
        assert_eq!(namespace(&tokens, LAB), Some(Ok("other".to_owned())));
    }

    #[test]
    fn files_that_are_no_tokens_are_told_and_the_others_count() {
        let tokens = Directory::new(&[("hpc", HPC), ("lab", "short"), ("No_Label", LAB)]).read();
        let problems = &tokens.known.load().problems;
        assert!(problems["lab"].contains("holds no token: one word of 16"), "{problems:?}");
        assert!(problems["No_Label"].contains("not named after a namespace"), "{problems:?}");
        assert_eq!(namespace(&tokens, HPC), Some(Ok("hpc".to_owned())));
        assert_eq!(namespace(&tokens, LAB), None);
    }

    #[test]
    fn what_changes_in_the_directory_counts_and_a_lost_directory_changes_nothing() {
        let dir = Directory::new(&[("hpc", HPC)]);
        let tokens = dir.read();
        dir.write("hpc", LAB);
        tokens.reload();
        assert_eq!(namespace(&tokens, HPC), None);
        assert_eq!(namespace(&tokens, LAB), Some(Ok("hpc".to_owned())));
        fs::remove_dir_all(dir.0.path()).unwrap();
        tokens.reload();
        assert_eq!(namespace(&tokens, LAB), Some(Ok("hpc".to_owned())));
        let absent = NamespaceTokens::read(Path::new("/nonexistent"), random_key().unwrap());
        assert!(absent.unwrap_err().starts_with("cannot be read: "));
    }
}
