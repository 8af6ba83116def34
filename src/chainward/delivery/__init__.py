"""Moves goods along and stops them at the gates: build, publish, promote, admit, and the timeline of it all.

A build runs a command, notes its materials and products, and assembles an image (:mod:`chainward.delivery.build`,
:mod:`chainward.delivery.image`); publishing hands image and evidence to a registry. Before anything moves up, a gate
gathers the evidence of one digest, asks the policy, and writes the decision down before it answers.
"""
