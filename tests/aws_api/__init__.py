# SPDX-License-Identifier: Apache-2.0
"""AWS on a loopback address, as far as operators that launch work need it, in the words of the services' models."""
