//! What wins, what is said to whom holds it wrong.

use super::super::{addresses, check};
use super::*;

fn given(flags: &[(&str, &str)], environment: &[(&str, &str)], file: Option<&str>) -> Given {
    let flag = |&(name, text): &(&str, &str)| (key(name).expect(name), text.to_owned());
    let variable = |&(name, text): &(&str, &str)| (name.to_owned(), text.to_owned());
    Given {
        flags: flags.iter().map(flag).collect(),
        environment: environment.iter().map(variable).collect(),
        file: file.map(|text| ("node.toml".to_owned(), text.to_owned())),
        dev: false,
    }
}

/// The words for all that is wrong, or `fine`.
fn said(given: &Given) -> String {
    match settings(given).and_then(|settings| check::config(&settings)) {
        Ok(_) => "fine".to_owned(),
        Err(diagnostic) => diagnostic.to_string(),
    }
}

#[test]
fn flags_beat_the_environment_which_beats_the_file_which_beats_the_default() {
    let file = Some("successors = 9\nreplicas = 2\nattempts = 4\n");
    let environment = [("CUERDA_SUCCESSORS", "10"), ("CUERDA_REPLICAS", "4")];
    let given = given(&[("successors", "11")], &environment, file);
    let settings = settings(&given).expect("all is well");
    let of = |name| {
        let setting = settings.get(name);
        let value = setting.value.as_ref().expect("it has one");
        (value.text(), setting.origin.to_string())
    };
    let pair = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(of("successors"), pair("11", "--successors"));
    assert_eq!(of("replicas"), pair("4", "CUERDA_REPLICAS"));
    assert_eq!(of("attempts"), pair("4", "node.toml:3"));
    assert_eq!(of("remembered"), pair("16", "default"));
}

#[test]
fn an_empty_variable_says_nothing() {
    let given = given(&[], &[("CUERDA_DATA", ""), ("CUERDA_JOIN", "")], None);
    assert_eq!(said(&given), "fine");
}

#[test]
fn dev_keeps_nothing_unless_told_where() {
    let mut given = given(&[], &[], None);
    given.dev = true;
    let data = |given: &Given| settings(given).expect("all is well").get("data").clone();
    assert_eq!(data(&given).value, None);
    assert_eq!(data(&given).origin, Origin::Dev);
    given.flags = vec![(key("data").expect("it is there"), "here".to_owned())];
    assert_eq!(data(&given).value, Some(Value::Path("here".into())));
}

#[test]
fn peers_to_join_are_a_list_in_the_file_and_commas_elsewhere() {
    let file = given(&[], &[], Some("join = [\"a:1\", \"b:2\"]"));
    let variable = given(&[], &[("CUERDA_JOIN", "a:1, b:2")], None);
    let join = |given: &Given| {
        settings(given)
            .expect("all is well")
            .get("join")
            .value
            .clone()
    };
    assert_eq!(join(&file), join(&variable));
}

#[test]
fn mistakes_in_a_file_are_pointed_at() {
    let text = "listen = \"127.0.0.1\"\nsuccesors = 8\nreplicas = \"three\"\n[ring]\nnodes = 3\n";
    insta::assert_snapshot!(said(&given(&[], &[], Some(text))));
}

#[test]
fn what_is_no_toml_is_pointed_at() {
    insta::assert_snapshot!(
        "not_toml",
        said(&given(&[], &[], Some("listen = 127.0.0.1:4000\n")))
    );
    insta::assert_snapshot!(
        "twice",
        said(&given(&[], &[], Some("log = \"info\"\nlog = \"debug\"\n")))
    );
}

#[test]
fn mistakes_in_flags_and_variables_are_shown_as_they_were_written() {
    let given = given(
        &[("stabilize_every", "30")],
        &[("CUERDA_ON_TERMINATE", "stop")],
        None,
    );
    insta::assert_snapshot!(said(&given));
}

#[test]
fn settings_that_do_not_go_together_are_pointed_at_where_one_was_said() {
    insta::assert_snapshot!(
        "replicas",
        said(&given(&[], &[("CUERDA_SUCCESSORS", "2")], None))
    );
    insta::assert_snapshot!("acks", said(&given(&[], &[], Some("acks = 4\n"))));
    let file = Some("replicas = 4\nvirtual_nodes = 3\n");
    insta::assert_snapshot!("holders", said(&given(&[], &[], file)));
    let file = Some("replicas = 4\nvirtual_nodes = 3\nsuccessors = 9\n");
    assert_eq!(said(&given(&[], &[], file)), "fine");
    insta::assert_snapshot!(
        "timeouts",
        said(&given(&[("request_timeout", "9s")], &[], None))
    );
    insta::assert_snapshot!(
        "insecure_and_secret",
        said(&given(
            &[("insecure", "true")],
            &[],
            Some("secret_file = \"s\"")
        ))
    );
    insta::assert_snapshot!("filter", said(&given(&[("log", "cuerda=loud")], &[], None)));
    insta::assert_snapshot!(
        "same_port",
        said(&given(&[], &[], Some("control = \"127.0.0.1:4000\"")))
    );
}

#[test]
fn beyond_loopback_somebody_must_be_kept_out() {
    let open = given(&[("listen", "10.0.0.7:4000")], &[], None);
    insta::assert_snapshot!(said(&open));
    for keeps_out in [
        ("secret_file", "s"),
        ("admit_keys_file", "k"),
        ("insecure", "true"),
    ] {
        let closed = given(&[("listen", "10.0.0.7:4000"), keeps_out], &[], None);
        assert_eq!(said(&closed), "fine");
    }
}

#[test]
fn a_node_that_listens_everywhere_says_where_it_is_reached() {
    for all in ["0.0.0.0:4000", "[::]:4000"] {
        let listen = all.parse().expect("an address");
        let nowhere = given(&[("listen", all), ("secret_file", "s")], &[], None);
        let words = said(&nowhere);
        match &addresses::of_this_machine(listen)[..] {
            [] => assert!(words.contains("--advertise HOST:4000"), "{words}"),
            [_] => assert_eq!(words, "fine"),
            several => {
                for one in several {
                    assert!(words.contains(&format!("--advertise {one}")), "{words}");
                }
            }
        }
    }
    let flags = [
        ("listen", "0.0.0.0:4000"),
        ("secret_file", "s"),
        ("advertise", "node1.example:4000"),
    ];
    assert_eq!(said(&given(&flags, &[], None)), "fine");
}

#[test]
fn misspelt_keys_are_understood() {
    for (name, meant) in [
        ("succesors", Some("successors")),
        ("stabilise-every", Some("stabilize_every")),
        ("JOIN", Some("join")),
        ("port", None),
        ("service_host", None),
        ("", None),
    ] {
        assert_eq!(nearest(name), meant, "{name}");
    }
}
