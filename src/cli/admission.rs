//! Reads who is admitted from the files that the configuration names; again on SIGHUP and on
//! `cuerda reload`.

use std::sync::Arc;

use cuerda::Hint as _;
use cuerda::host::{Admission, AdmissionError};
use cuerda::http::control::Reload;

use super::config::Config;
use super::{Code, Failure};

/// What the files say now.
pub(crate) fn read(config: &Config) -> Result<Admission, AdmissionError> {
    let mut admission = Admission::open();
    if let Some(file) = &config.admit_keys_file {
        admission = admission.with_keys_from(file)?;
    }
    if let Some(file) = &config.revoked_keys_file {
        admission = admission.with_revoked_from(file)?;
    }
    if let Some(file) = &config.secret_file {
        admission = admission.with_secrets_from(file)?;
    }
    Ok(admission)
}

/// The same at the start of a node.
pub(crate) fn at_start(config: &Config) -> Result<Admission, Failure> {
    read(config).map_err(|error| Failure::of(Code::Configuration, &error))
}

/// Reads them again whenever it is called.
pub(crate) fn reload(config: &Config) -> Reload {
    let config = config.clone();
    Arc::new(move || read(&config).map_err(|error| error.with_hint()))
}
