//! An authority, one serving certificate and tokens, made anew for each demo.
//!
//! The authority's key is dropped with [`Certificates::create`]: nothing else can ever be signed
//! by it, so that trusting `ca.crt` trusts one gateway.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use tempfile::NamedTempFile;

/// What the gateway may be called: on this machine, and like its Services in a cluster.
pub const NAMES: [&str; 5] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "fluxgauge-api.fluxgauge.svc",
    "fluxgauge-ingest.fluxgauge.svc",
];

/// All in PEM form.
#[derive(Debug)]
pub struct Certificates {
    /// The authority that clients trust.
    pub authority: String,
    /// The gateway's certificate.
    pub certificate: String,
    /// What readers prove themselves by; not in PEM form.
    pub reader_token: String,
    key: String,
}

/// Where they were written.
#[derive(Clone, Debug)]
pub struct Files {
    /// The authority that clients trust.
    pub ca: PathBuf,
    /// The gateway's certificate.
    pub cert: PathBuf,
    /// Its key, which only this user can read.
    pub key: PathBuf,
    /// The readers' token, likewise.
    pub reader_token: PathBuf,
}

impl Certificates {
    /// Makes an authority, a key and a certificate for [`NAMES`].
    ///
    /// # Errors
    ///
    /// When the system gives no random numbers.
    pub fn create() -> Result<Self, rcgen::Error> {
        // rustls refuses an authority as a server's own certificate, so there are two.
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "Fluxgauge demo authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let mut params = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
        params.distinguished_name.push(DnType::CommonName, "Fluxgauge demo gateway");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        Ok(Self {
            certificate: params.signed_by(&key, &authority)?.pem(),
            reader_token: token()?,
            key: key.serialize_pem(),
            authority: authority.pem(),
        })
    }

    /// Writes `ca.crt`, `tls.crt` and `tls.key`, named as in a Secret of Kubernetes, and
    /// `reader-token`.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path) -> io::Result<Files> {
        let files = Files {
            ca: dir.join("ca.crt"),
            cert: dir.join("tls.crt"),
            key: dir.join("tls.key"),
            reader_token: dir.join("reader-token"),
        };
        fs::write(&files.ca, &self.authority)?;
        fs::write(&files.cert, &self.certificate)?;
        for (path, secret) in [(&files.key, &self.key), (&files.reader_token, &self.reader_token)] {
            write_secret(dir, path, secret)?;
        }
        Ok(files)
    }
}

/// Writes a new token, which only this user can read, as the file `name` of a directory.
///
/// # Errors
///
/// When it cannot be written, or the system gives no random numbers.
pub fn write_token(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let token = token().map_err(io::Error::other)?;
    let path = dir.join(name);
    write_secret(dir, &path, &token)?;
    Ok(path)
}

fn write_secret(dir: &Path, path: &Path, secret: &str) -> io::Result<()> {
    // A temporary file is private from its first byte on, whatever was there before.
    let mut file = NamedTempFile::new_in(dir)?;
    file.write_all(secret.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// 32 random bytes as a word.
fn token() -> Result<String, rcgen::Error> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| rcgen::Error::RingUnspecified)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

    use rustls::{
        CertificateError, Error, RootCertStore, client::WebPkiServerVerifier,
        client::danger::ServerCertVerifier as _, crypto::ring,
    };
    use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _};

    use super::*;

    /// What a client that trusts `authority` alone has against a certificate for a name.
    fn refusal(authority: &str, certificate: &str, name: &'static str) -> Option<Error> {
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(der(authority)).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let name = ServerName::try_from(name).unwrap();
        let verifier = verifier.build().unwrap();
        verifier.verify_server_cert(&der(certificate), &[], &name, &[], UnixTime::now()).err()
    }

    #[test]
    fn the_chain_verifies_for_every_name() {
        let made = Certificates::create().unwrap();
        for name in NAMES {
            assert_eq!(refusal(&made.authority, &made.certificate, name), None, "{name}");
        }
    }

    #[test]
    fn another_name_or_another_authority_is_refused() {
        let (made, other) = (Certificates::create().unwrap(), Certificates::create().unwrap());
        let error = refusal(&made.authority, &made.certificate, "example.com").unwrap();
        assert!(
            matches!(
                error,
                Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })
            ),
            "{error}"
        );
        assert!(refusal(&other.authority, &made.certificate, "localhost").is_some());
    }

    #[test]
    fn the_key_and_the_token_are_private_even_where_a_public_file_was() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["tls.key", "reader-token"] {
            fs::write(dir.path().join(name), "old").unwrap();
        }
        let files = Certificates::create().unwrap().write(dir.path()).unwrap();
        for file in [&files.key, &files.reader_token] {
            let mode = fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(fs::read_to_string(files.key).unwrap().contains("PRIVATE KEY"));
        let token = fs::read_to_string(files.reader_token).unwrap();
        assert_eq!(token.len(), 64);
        assert_ne!(token, Certificates::create().unwrap().reader_token);
    }
}
