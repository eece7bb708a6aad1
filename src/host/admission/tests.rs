//! Who is let in and who is not, and what a proof is bound to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

const CLIENT: [u8; 32] = [1; 32];
const SERVER: [u8; 32] = [2; 32];
const BOTH: [Role; 2] = [Role::Client, Role::Server];

fn binding(connection: u8) -> Binding {
    Binding {
        exporter: [connection; 32],
        client: CLIENT,
        server: SERVER,
    }
}

fn secret(number: u8) -> Secret {
    Secret::new(vec![number; 16]).unwrap()
}

fn knowing(numbers: &[u8]) -> Admission {
    Admission {
        secrets: numbers.iter().copied().map(secret).collect(),
        ..Admission::open()
    }
}

/// Whether the first lets in the second, which proves what it can in this role.
fn lets_in(host: &Admission, guest: &Admission, role: Role) -> Result<Admitted, AdmissionError> {
    let proof = guest.proof(&binding(7), role);
    host.check(&binding(7), role, proof.as_ref())
}

fn wrong(role: Role) -> Result<Admitted, AdmissionError> {
    let key = hex::encode(binding(0).key(role));
    Err(AdmissionError::WrongProof(key))
}

#[test]
fn who_knows_the_secret_comes_in_in_either_role() {
    let one = knowing(&[1]);
    for role in BOTH {
        lets_in(&one, &one.clone(), role).unwrap();
    }
}

#[test]
fn who_knows_none_or_another_stays_out() {
    let host = knowing(&[1]);
    for role in BOTH {
        let key = hex::encode(binding(0).key(role));
        let stranger = lets_in(&host, &Admission::open(), role);
        assert_eq!(stranger, Err(AdmissionError::NoProof(key)));
        assert_eq!(lets_in(&host, &knowing(&[2]), role), wrong(role));
        for guess in [[0; 32], [0xff; 32]] {
            assert_eq!(host.check(&binding(7), role, Some(&guess)), wrong(role));
        }
        // What it looks like to know nearly all of a secret.
        let mut near = vec![1; 16];
        near[15] = 0;
        let near = Admission {
            secrets: vec![Secret::new(near).unwrap()],
            ..Admission::open()
        };
        assert_eq!(lets_in(&host, &near, role), wrong(role));
    }
}

#[test]
fn no_bit_of_a_proof_can_change() {
    let host = knowing(&[1]);
    let proof = host.proof(&binding(7), Role::Client).unwrap();
    for bit in 0..256 {
        let mut other = proof;
        other[bit / 8] ^= 1 << (bit % 8);
        let checked = host.check(&binding(7), Role::Client, Some(&other));
        assert_eq!(checked, wrong(Role::Client));
    }
}

#[test]
fn my_own_proof_sent_back_proves_nothing() {
    let host = knowing(&[1]);
    for (mine, theirs) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        let proof = host.proof(&binding(7), mine);
        let reflected = host.check(&binding(7), theirs, proof.as_ref());
        assert_eq!(reflected, wrong(theirs));
        // Not even by an intruder that shows my own key, were that possible.
        let me = Binding {
            client: CLIENT,
            server: CLIENT,
            ..binding(7)
        };
        let proof = host.proof(&me, mine);
        assert!(host.check(&me, theirs, proof.as_ref()).is_err());
    }
}

#[test]
fn a_proof_is_of_no_use_on_another_connection_or_for_another_key() {
    let host = knowing(&[1]);
    for role in BOTH {
        let proof = host.proof(&binding(7), role);
        let elsewhere = [
            binding(8),
            Binding {
                client: [3; 32],
                ..binding(7)
            },
            Binding {
                server: [3; 32],
                ..binding(7)
            },
            Binding {
                client: SERVER,
                server: CLIENT,
                ..binding(7)
            },
        ];
        for binding in elsewhere {
            let checked = host.check(&binding, role, proof.as_ref());
            assert!(
                matches!(checked, Err(AdmissionError::WrongProof(_))),
                "{binding:?}"
            );
        }
    }
}

#[test]
fn the_proof_is_what_it_was_in_the_first_release() {
    // Reckoned apart, with Python's hmac: a proof that changes splits a cluster in the middle
    // of its update.
    let proof = knowing(&[1]).proof(&binding(7), Role::Client).unwrap();
    assert_eq!(
        hex::encode(&proof),
        "a6ff480cfe28c3cda132e34fb5d42a4b3ceb3a4906f20746c053548be9dfc4e4"
    );
    let proof = knowing(&[1]).proof(&binding(7), Role::Server).unwrap();
    assert_eq!(
        hex::encode(&proof),
        "8b40e6e36dc09657236a839bebb7298ba475661d95cbb5f7792523b09b172571"
    );
}

#[test]
fn a_secret_is_rotated_without_shutting_anybody_out() {
    // Any two neighbouring steps are in force at once.
    let steps = [
        knowing(&[1]),
        knowing(&[1, 2]),
        knowing(&[2, 1]),
        knowing(&[2]),
    ];
    for pair in steps.windows(2) {
        for role in BOTH {
            lets_in(&pair[0], &pair[1], role).unwrap();
            lets_in(&pair[1], &pair[0], role).unwrap();
        }
    }
    // In the end the old one is worth nothing.
    assert_eq!(
        lets_in(&steps[3], &steps[0], Role::Client),
        wrong(Role::Client)
    );
}

#[test]
fn only_listed_keys_come_in_and_revoked_ones_never() {
    let listing = |keys: &[[u8; 32]], revoked: &[[u8; 32]]| Admission {
        keys: Some(keys.iter().copied().collect()),
        revoked: revoked.iter().copied().collect(),
        ..Admission::open()
    };
    let client = |host: &Admission| host.check(&binding(7), Role::Client, None);
    let (key, server) = (hex::encode(&CLIENT), hex::encode(&SERVER));
    client(&listing(&[CLIENT], &[])).unwrap();
    // It is the peer's key that counts, not the host's own.
    assert_eq!(
        client(&listing(&[SERVER], &[])),
        Err(AdmissionError::NotListed(key.clone()))
    );
    assert_eq!(
        client(&listing(&[], &[])),
        Err(AdmissionError::NotListed(key.clone()))
    );
    assert_eq!(
        client(&listing(&[CLIENT], &[CLIENT])),
        Err(AdmissionError::Revoked(key))
    );
    client(&listing(&[CLIENT], &[SERVER])).unwrap();
    let checked = listing(&[CLIENT], &[]).check(&binding(7), Role::Server, None);
    assert_eq!(checked, Err(AdmissionError::NotListed(server)));
}

#[test]
fn keys_and_secrets_are_wanted_both() {
    let member = knowing(&[1]);
    let host = |keys: Option<BTreeSet<[u8; 32]>>, revoked: BTreeSet<[u8; 32]>| Admission {
        keys,
        revoked,
        ..knowing(&[1])
    };
    let listed = host(Some(BTreeSet::from([CLIENT])), BTreeSet::new());
    lets_in(&listed, &member, Role::Client).unwrap();
    // On the list, but without the secret.
    assert!(lets_in(&listed, &Admission::open(), Role::Client).is_err());
    // With the secret, but not on the list, or revoked.
    let error = lets_in(&listed, &member, Role::Server).unwrap_err();
    assert!(matches!(error, AdmissionError::NotListed(_)));
    let error = lets_in(&host(None, BTreeSet::from([CLIENT])), &member, Role::Client).unwrap_err();
    assert!(matches!(error, AdmissionError::Revoked(_)));
}

#[test]
fn without_keys_and_secrets_it_is_open() {
    assert!(Admission::open().is_open());
    assert!(!knowing(&[1]).is_open());
    let nobody = Admission {
        keys: Some(BTreeSet::new()),
        ..Admission::open()
    };
    assert!(!nobody.is_open());
    // Who revokes keys and lists none still admits strangers.
    let most = Admission {
        revoked: BTreeSet::from([CLIENT]),
        ..Admission::open()
    };
    assert!(most.is_open());
    // A proof that nobody asked for does no harm.
    lets_in(&Admission::open(), &knowing(&[1]), Role::Client).unwrap();
    assert_eq!(Admission::open().proof(&binding(7), Role::Client), None);
}

#[test]
fn who_would_not_be_let_in_any_more_does_not_stay() {
    let old = lets_in(&knowing(&[1, 2]), &knowing(&[1]), Role::Client).unwrap();
    let new = lets_in(&knowing(&[1, 2]), &knowing(&[2]), Role::Client).unwrap();
    let free = lets_in(&Admission::open(), &Admission::open(), Role::Client).unwrap();
    let stays = |after: &Admission, admitted| after.still_admits(&CLIENT, &admitted);

    assert!(stays(&knowing(&[2, 1]), old) && stays(&knowing(&[2, 1]), new));
    assert!(!stays(&knowing(&[2]), old) && stays(&knowing(&[2]), new));
    assert!(
        !stays(&knowing(&[1]), free),
        "it has never shown the secret that is asked for now"
    );
    assert!(stays(&Admission::open(), old) && stays(&Admission::open(), free));

    let revoking = Admission {
        revoked: BTreeSet::from([CLIENT]),
        ..knowing(&[1])
    };
    assert!(!stays(&revoking, old) && revoking.still_admits(&SERVER, &old));
    let listing = Admission {
        keys: Some(BTreeSet::from([SERVER])),
        ..knowing(&[1])
    };
    assert!(!stays(&listing, old) && listing.still_admits(&SERVER, &old));
}

#[test]
fn secrets_are_not_shown() {
    let bytes: Vec<u8> = (100..132).collect();
    let known = Admission {
        secrets: vec![Secret::new(bytes).unwrap()],
        ..Admission::open()
    };
    let shown = format!("{known:?} {known:#?}");
    assert!(
        shown.contains("Secret") && !shown.contains("101"),
        "{shown}"
    );
}

#[test]
fn short_secrets_are_refused() {
    for length in [0, 1, 15] {
        let error = Secret::new(vec![7; length]).unwrap_err();
        assert_eq!(error, AdmissionError::Weak(length));
    }
    Secret::new(vec![7; 16]).unwrap();
}

/// Runs a test on a file with this text.
fn with_file<T>(text: &str, test: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    test(&file)
}

#[test]
fn secrets_that_others_may_read_are_refused_and_public_keys_are_not() {
    with_file(&"1f".repeat(32), |file| {
        for mode in [0o604, 0o644, 0o602, 0o777] {
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
            let error = Admission::open().with_secrets_from(file).unwrap_err();
            let exposed = AdmissionError::Exposed {
                file: file.to_owned(),
                mode,
            };
            assert_eq!(error.to_string(), exposed.to_string());
            assert!(error.with_hint().contains("chmod o= "), "{error}");
            assert!(Admission::open().with_keys_from(file).is_ok());
        }
        for mode in [0o400, 0o600, 0o440] {
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
            assert!(
                Admission::open().with_secrets_from(file).is_ok(),
                "{mode:o}"
            );
        }
    });
}

#[test]
fn files_are_read_with_comments_and_empty_lines() {
    let (one, two) = ("01".repeat(32), "02".repeat(32));
    let keys = format!(
        "# the first\n{one}\n\n  # and\r\n  {}  \r\n",
        two.to_uppercase()
    );
    let read = with_file(&keys, |file| Admission::open().with_keys_from(file)).unwrap();
    assert_eq!(read.keys, Some(BTreeSet::from([CLIENT, SERVER])));
    let read = with_file(&keys, |file| Admission::open().with_revoked_from(file)).unwrap();
    assert_eq!(read.revoked, BTreeSet::from([CLIENT, SERVER]));
    let secrets = format!("# new\n{}\n# old\n{}", "02".repeat(16), "01".repeat(16));
    let read = with_file(&secrets, |file| Admission::open().with_secrets_from(file)).unwrap();
    let (first, second) = (knowing(&[2]), knowing(&[1]));
    assert_eq!(
        read.proof(&binding(7), Role::Client),
        first.proof(&binding(7), Role::Client)
    );
    lets_in(&read, &second, Role::Client).unwrap();
    // One after the other, they add up.
    let both = with_file(&keys, |file| read.with_keys_from(file)).unwrap();
    assert!(both.keys.is_some() && both.secrets.len() == 2);
}

#[test]
fn what_is_no_key_or_secret_is_refused_by_file_and_line() {
    let good = "01".repeat(32);
    let (short, odd) = ("01".repeat(31), "0".repeat(63));
    for bad in [
        short.as_str(),
        &odd,
        "key",
        &format!("{good} ed25519"),
        &format!("{good}00"),
    ] {
        let text = format!("# a list\n{good}\n{bad}\n");
        let (error, file) = with_file(&text, |file| {
            (
                Admission::open().with_keys_from(file).unwrap_err(),
                file.to_owned(),
            )
        });
        assert!(
            matches!(error, AdmissionError::Line { line: 3, .. }),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .starts_with(&format!("{}:3: ", file.display())),
            "{error}"
        );
        with_file(&text, |file| Admission::open().with_revoked_from(file)).unwrap_err();
    }
    let (short, odd) = ("ab".repeat(15), "a".repeat(33));
    for bad in [short.as_str(), &odd, "correct horse battery staple"] {
        let error = with_file(bad, |file| Admission::open().with_secrets_from(file)).unwrap_err();
        assert!(
            matches!(error, AdmissionError::Line { line: 1, .. }),
            "{error}"
        );
        assert!(
            !error.to_string().contains(bad),
            "a secret is not shown: {error}"
        );
    }
}

#[test]
fn a_file_without_content_does_not_open_the_cluster() {
    for text in ["", "\n\n", "# nothing yet\n"] {
        let error = with_file(text, |file| Admission::open().with_secrets_from(file)).unwrap_err();
        assert!(
            matches!(error, AdmissionError::Empty { what: "secret", .. }),
            "{error}"
        );
        let error = with_file(text, |file| Admission::open().with_keys_from(file)).unwrap_err();
        assert!(
            matches!(error, AdmissionError::Empty { what: "key", .. }),
            "{error}"
        );
        with_file(text, |file| Admission::open().with_revoked_from(file)).unwrap();
    }
    let nowhere = Path::new("/nowhere/secrets");
    let error = Admission::open().with_secrets_from(nowhere).unwrap_err();
    assert!(
        matches!(error, AdmissionError::Unreadable { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("/nowhere/secrets"), "{error}");
}
