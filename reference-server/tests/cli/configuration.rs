//! Where a setting comes from, what goes before what, and mistakes in the file.

use crate::support::{assert_fails, folder, gateway, printed_config, write};

#[test]
fn mistakes_in_the_file_are_named_with_file_and_key() {
    let cases = [
        ("access_log = '-'", "there is no key \"access_log\" (did you mean \"access-log\"?)"),
        ("print-config = true", "there is no key \"print-config\""),
        ("mounts = {}", "did you mean \"mount\"?"),
        ("threads = '8'", "\"threads\" must be a whole number, and is of type string"),
        ("threads = 0", "1..=1024"),
        ("listing = 1", "\"listing\" must be true or false"),
        ("log-level = 'loud'", "possible values are error, warn, info, debug"),
        ("max-body = '1T'", "K, M and G"),
        ("bind = ", "line 1, column"),
        ("mount = 1", "[mount]"),
        ("[mount]\n'/x' = 'stattic:x'", "mount \"/x\": there is no kind \"stattic\" (did you mean \"static\"?)"),
        ("[mount]\n'x' = 'app:hello'", "must begin with \"/\""),
        ("[mount]\n'/x' = 'app:hello'\n'/x/' = 'app:echo'", "there are two targets at /x"),
        ("[mount]\n'/x' = { target = 'static:x', lisitng = true }", "did you mean \"listing\"?"),
    ];
    let folder = folder();
    for (text, hint) in cases {
        let file = write(&folder, "gateway.toml", text);
        assert_fails(&mut gateway(&["serve", "--config", &file]), 2, &["gateway.toml: ", hint]);
    }
    assert_fails(&mut gateway(&["serve", "--config", "/no/such.toml"]), 2, &["/no/such.toml", "No such file"]);
}

#[test]
fn a_wrong_value_in_the_environment_is_blamed_on_its_variable() {
    let serve = ["serve", "app:hello"];
    assert_fails(gateway(&serve).env("GATEWAY_THREADS", "many"), 2, &["GATEWAY_THREADS", "\"many\""]);
    assert_fails(gateway(&serve).env("PORT", "http"), 2, &["PORT", "from 0 to 65535"]);
}

#[test]
fn a_flag_goes_before_the_environment_that_before_the_file_that_before_the_default() {
    let folder = folder();
    let file = write(&folder, "gateway.toml", "threads = 3\nworkers = 1\ngraceful-timeout = 3\nlisting = true\n");
    let mut command = gateway(&["serve", "--config", &file, "--threads", "1", "--listing=false"]);
    let config = printed_config(command.env("GATEWAY_THREADS", "2").env("GATEWAY_GRACEFUL_TIMEOUT", "2"));
    let from = |key: &str| {
        let line =
            config.lines().find(|line| line.starts_with(&format!("{key} ="))).unwrap_or_else(|| panic!("{config}"));
        line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(from("threads"), "1 # command line");
    assert_eq!(from("listing"), "false # command line");
    assert_eq!(from("graceful-timeout"), "2 # environment variable GATEWAY_GRACEFUL_TIMEOUT");
    assert_eq!(from("workers"), format!("1 # file {file}"));
    assert_eq!(from("max-body"), "\"1G\" # default");
}

#[test]
fn the_customary_variables_give_way_to_everything_else() {
    let customary = |args: &[&str], variables: &[(&str, &str)]| {
        let customary = [("PORT", "81"), ("VIRTUAL_ENV", "/venv"), ("WEB_CONCURRENCY", "3")];
        let variables = variables.iter().copied().chain(customary);
        printed_config(gateway(&["serve"]).args(args).envs(variables))
    };
    let config = customary(&[], &[]);
    assert!(config.contains("bind = \"127.0.0.1:81\"") && config.contains("# environment variable PORT"), "{config}");
    assert!(config.contains("venv = \"/venv\"") && config.contains("# environment variable VIRTUAL_ENV"), "{config}");
    assert!(config.contains("workers = 3") && config.contains("# environment variable WEB_CONCURRENCY"), "{config}");
    let config = customary(&["--bind", "[::1]:82"], &[("GATEWAY_VENV", "/other")]);
    assert!(config.contains("bind = \"[::1]:82\"") && config.contains("venv = \"/other\""), "{config}");
    let folder = folder();
    let file = write(&folder, "gateway.toml", "bind = '127.0.0.1:83'\nvenv = '/third'");
    let config = customary(&["--config", &file], &[]);
    assert!(config.contains("bind = \"127.0.0.1:83\"") && config.contains("venv = \"/third\""), "{config}");
}

#[test]
fn what_is_printed_as_configuration_is_one() {
    let folder = folder();
    let text =
        "chdir = '.'\n[mount]\n'/f' = { target = 'static:f', listing = true }\n'/h' = 'app:hello'\n'/e' = 'app:echo'";
    let file = write(&folder, "gateway.toml", text);
    let first = printed_config(&mut gateway(&["serve", "--config", &file, "/h/=app:environ", "/x=static:x"]));
    let path = |name: &str| folder.path().join(name).display().to_string();
    for line in [
        format!("chdir = \"{}\"", path(".")),
        format!("\"/f\" = {{ listing = true, target = \"static:{}\" }}", path("f")),
        "\"/e\" = \"app:echo\"".into(),
        "\"/h\" = \"app:environ\"".into(),
    ] {
        assert!(first.contains(&line), "no {line} in\n{first}");
    }
    let file = write(&folder, "printed.toml", &first);
    let second = printed_config(&mut gateway(&["serve", "--config", &file]));
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.split_once("  # "));
        lines.map(|(value, _)| value.trim().replace("static:x", &format!("static:{}", path("x")))).collect()
    };
    let sorted = |mut values: Vec<String>| {
        values.sort();
        values
    };
    assert_eq!(sorted(values(&first)), sorted(values(&second)));
}
