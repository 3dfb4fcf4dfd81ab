package main

func peroModule() []byte { return nil }
