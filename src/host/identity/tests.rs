//! Keys that are made, kept, refused and hidden.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o7777
}

fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// RFC 8032, section 7.1, test 1.
const SEED: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const PUBLIC: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];

#[test]
fn the_public_key_is_that_of_the_standard() {
    let identity = Identity::from_seed(SEED);
    assert_eq!(identity.public_key(), PUBLIC);
    assert_eq!(identity.id(3), Id::of_node(&PUBLIC, 3));
}

#[test]
fn generated_keys_differ() {
    let (a, b) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    assert_ne!(a.public_key(), b.public_key());
}

#[test]
fn the_secret_half_is_not_shown() {
    let identity = Identity::from_seed(SEED);
    let shown = format!("{identity:?} {identity:#?}");
    assert!(shown.contains(&format!("{:.8}", identity.id(0))), "{shown}");
    for bytes in SEED.windows(2) {
        assert!(
            !shown.contains(&format!("{}, {}", bytes[0], bytes[1])),
            "{shown}"
        );
        assert!(
            !shown.contains(&format!("{:02x}{:02x}", bytes[0], bytes[1])),
            "{shown}"
        );
    }
}

#[test]
fn a_key_is_made_once_and_then_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("identity.pem");
    let (made, new) = Identity::load_or_create(&file).unwrap();
    assert!(new);
    assert_eq!(mode(&file), 0o600);
    let (read, new) = Identity::load_or_create(&file).unwrap();
    assert!(!new);
    assert_eq!(read.public_key(), made.public_key());
    // A file without the right to write, as secrets are mounted, will do.
    set_mode(&file, 0o400);
    let (read, _) = Identity::load_or_create(&file).unwrap();
    assert_eq!(read.public_key(), made.public_key());
}

#[test]
fn a_key_that_openssl_made_is_read() {
    // The key of RFC 8032's first test, as `openssl genpkey` would have written it.
    let pem = "-----BEGIN PRIVATE KEY-----\n\
               MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
               -----END PRIVATE KEY-----\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("identity.pem");
    file::create(&file, pem.as_bytes()).unwrap();
    let (read, new) = Identity::load_or_create(&file).unwrap();
    assert_eq!((read.public_key(), new), (PUBLIC, false));
}

#[test]
fn all_that_make_a_key_at_once_agree_on_one() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let file = folder.path().join(format!("{round}.pem"));
        let make = || Identity::load_or_create(&file).unwrap();
        let made: Vec<(Identity, bool)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().unwrap();
            threads.into_iter().map(join).collect()
        });
        let (kept, _) = Identity::load_or_create(&file).unwrap();
        for (identity, _) in &made {
            assert_eq!(identity.public_key(), kept.public_key());
        }
        assert_eq!(made.iter().filter(|(_, new)| *new).count(), 1);
    }
    // Nothing but the keys is left.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 20);
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("identity.pem");
    Identity::load_or_create(&file).unwrap();
    for open in [0o640, 0o604, 0o644, 0o660] {
        set_mode(&file, open);
        let error = Identity::load_or_create(&file).unwrap_err();
        assert!(matches!(error, IdentityError::Exposed { mode, .. } if mode == open));
        let mend = format!("chmod 600 {}", file.display());
        assert!(error.with_hint().contains(&mend), "{error}");
    }
}

#[test]
fn what_is_no_key_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("identity.pem");
    let whole = Identity::from_seed(SEED).to_pem().to_string();
    let half = whole[..whole.len() / 2].to_owned();
    // An X25519 key, which differs from an Ed25519 key in one byte.
    let other = "-----BEGIN PRIVATE KEY-----\n\
                 MC4CAQAwBQYDK2VuBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                 -----END PRIVATE KEY-----\n";
    let long = "x".repeat(100_000);
    for bad in ["", "nonsense", &half, other, &long] {
        fs::write(&file, bad).unwrap();
        set_mode(&file, 0o600);
        let error = Identity::load_or_create(&file).unwrap_err();
        let fits = match error {
            IdentityError::Empty { .. } => bad.is_empty(),
            IdentityError::NoKey { .. } => !bad.is_empty(),
            _ => false,
        };
        assert!(fits, "{error}");
        assert!(error.with_hint().contains(".old"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), bad);
    }
}

#[test]
fn a_public_half_of_another_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("identity.pem");
    let mut pair = ed25519_dalek::pkcs8::KeypairBytes::from(&SigningKey::from_bytes(&SEED));
    let stranger = Identity::from_seed([1; 32]).public_key();
    pair.public_key = Some(ed25519_dalek::pkcs8::PublicKeyBytes(stranger));
    let pem = pair.to_pkcs8_pem(LineEnding::LF).unwrap();
    file::create(&file, pem.as_bytes()).unwrap();
    let error = Identity::load_or_create(&file).unwrap_err();
    assert!(matches!(error, IdentityError::NoKey { .. }), "{error}");
}

#[test]
fn a_place_where_nothing_can_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("missing").join("identity.pem");
    let error = Identity::load_or_create(&file).unwrap_err();
    assert!(matches!(error, IdentityError::Unwritable { .. }), "{error}");
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
    // And one that can't even be read: a file where a folder should be.
    fs::write(folder.path().join("missing"), "").unwrap();
    let error = Identity::load_or_create(&file).unwrap_err();
    assert!(matches!(error, IdentityError::Unreadable { .. }), "{error}");
    // A folder where the file should be.
    let error = Identity::load_or_create(folder.path()).unwrap_err();
    assert!(matches!(error, IdentityError::Unreadable { .. }), "{error}");
}

#[test]
fn tls_reads_the_same_key() {
    let identity = Identity::from_seed(SEED);
    let key = rustls::crypto::ring::sign::any_eddsa_type(&identity.pkcs8()).unwrap();
    let spki = key.public_key().unwrap();
    assert!(spki.as_ref().ends_with(&PUBLIC));
}
