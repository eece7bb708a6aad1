//! Cuerda in containers: the image, the compose file, the Swarm stack, the Kubernetes manifests, and
//! what an operator does to nodes. The real binary, on a real engine and its real networks.
//!
//! Without a Docker engine these tests say loudly that they are skipped; with `CUERDA_CI=1`
//! whatever is missing is a failure. They take turns: two cores are soon taken by rings of five.
//! The image is made from the program that was built for the tests, if that is static; else from a
//! static one that is built first, which takes some minutes once.

mod compose;
mod engine;
mod image;
mod kubernetes;
mod operator;
mod program;
mod ring;
mod swarm;
mod tools;
mod validator;
